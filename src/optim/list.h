/* OPTIMIZER(function, name, lr, momentum, beta1, beta2, eps, buffers of state, full batch, about)
   Defaults of lr … eps; 0: not used. `about` names those that are used. */
OPTIMIZER(sgd, "sgd", 1.0, 0, 0, 0, 0, 0, false, "stochastic gradient descent; --lr 1")
OPTIMIZER(momentum, "momentum", 0.1, 0.9, 0, 0, 0, 1, false, "sgd with classical momentum; --lr 0.1 --momentum 0.9")
OPTIMIZER(nesterov, "nesterov", 0.1, 0.9, 0, 0, 0, 1, false,
          "sgd with Nesterov momentum (Sutskever et al. 2013); --lr 0.1 --momentum 0.9")
OPTIMIZER(
    rmsprop, "rmsprop", 0.001, 0, 0, 0.9, 1e-8, 1, false,
    "gradient divided by its running root mean square (Tieleman & Hinton 2012); --lr 0.001 --beta2 0.9 --eps 1e-08")
OPTIMIZER(adam, "adam", 0.002, 0, 0.9, 0.999, 1e-8, 2, false,
          "running mean over running deviation (Kingma & Ba 2015); --lr 0.002 --beta1 0.9 --beta2 0.999 --eps 1e-08")
OPTIMIZER(adamw, "adamw", 0.002, 0, 0.9, 0.999, 1e-8, 2, false,
          "adam with decoupled weight decay (Loshchilov & Hutter 2019); --lr 0.002 --beta1 0.9 --beta2 0.999 "
          "--eps 1e-08")
OPTIMIZER(amsgrad, "amsgrad", 0.002, 0, 0.9, 0.999, 1e-8, 3, false,
          "adam whose deviation never shrinks (Reddi et al. 2018); --lr 0.002 --beta1 0.9 --beta2 0.999 --eps 1e-08")
OPTIMIZER(nadam, "nadam", 0.002, 0, 0.9, 0.999, 1e-8, 2, false,
          "adam with Nesterov momentum (Dozat 2016); --lr 0.002 --beta1 0.9 --beta2 0.999 --eps 1e-08")
OPTIMIZER(lion, "lion", 0.0003, 0, 0.9, 0.99, 0, 1, false,
          "sign of the running mean, with decoupled weight decay (Chen et al. 2023); --lr 0.0003 --beta1 0.9 "
          "--beta2 0.99")
OPTIMIZER(adagrad, "adagrad", 0.01, 0, 0, 0, 1e-10, 1, false,
          "gradient divided by the root of the sum of its squares (Duchi et al. 2011); --lr 0.01 --eps 1e-10")
OPTIMIZER(adadelta, "adadelta", 1.0, 0, 0, 0.95, 1e-6, 2, false,
          "rmsprop in units of the weights (Zeiler 2012); --lr 1 --beta2 0.95 --eps 1e-06")
OPTIMIZER(rmsprop_graves, "rmsprop-graves", 0.0001, 0.9, 0, 0.95, 1e-4, 3, false,
          "gradient divided by its running deviation, with momentum (Graves 2013); --lr 0.0001 --momentum 0.9 "
          "--beta2 0.95 --eps 0.0001")
OPTIMIZER(rprop, "rprop", 0.001, 0, 0, 0, 0, 2, true,
          "steps that grow while the sign of the gradient stays, iRprop- (Riedmiller & Braun 1993); full batch; "
          "--lr 0.001 is the first step")
